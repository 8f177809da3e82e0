"""The calls of Microsoft Graph that MEGDocs makes, with a token from the broker."""

import json
import urllib.error
import urllib.parse
import urllib.request

from django.conf import settings


class GraphError(Exception):
    def __init__(self, status, headers):
        super().__init__(f"Microsoft Graph answered {status}")
        self.status = status
        self.headers = headers  # (broker) with the claims challenge, for claims_of


def is_unauthorized(error):
    return isinstance(error, GraphError) and error.status == 401


class Graph:
    def __init__(self, token):
        self._token = token

    def me(self):
        return json.loads(self._call("GET", "/me"))

    def files(self):
        return json.loads(self._call("GET", "/me/drive/root/children"))["value"]

    def file(self, item):
        return json.loads(self._call("GET", _item(item)))

    def read(self, item):
        return self._call("GET", f"{_item(item)}/content").decode()

    def write(self, item, text):
        self._call("PUT", f"{_item(item)}/content", text.encode())

    def _call(self, method, path, body=None):
        headers = {"authorization": f"Bearer {self._token}", "content-type": "text/plain; charset=utf-8"}
        request = urllib.request.Request(f"{settings.GRAPH_URL}/v1.0{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            error.close()
            raise GraphError(error.code, error.headers) from None


def _item(item):
    return f"/me/drive/items/{urllib.parse.quote(item, safe='')}"
