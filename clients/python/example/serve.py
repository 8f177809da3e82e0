"""Migrates, serves on a free port of 127.0.0.1, and prints the address. Only for the sandbox."""

import os
import socketserver
import threading
from wsgiref.simple_server import WSGIServer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megdocs.settings")

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.servers.basehttp import WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Handler(WSGIRequestHandler):
    def log_message(self, *args):
        """Nobody reads the request lines."""


application = StaticFilesHandler(get_wsgi_application())
call_command("migrate", verbosity=0)
server = Server(("127.0.0.1", 0), Handler)
server.set_app(application)
if "MEGDOCS_READS_EVENTS" in os.environ:
    # A real project runs the command as a process of its own.
    threading.Thread(target=call_command, args=("token_broker_events",), daemon=True).start()
print(f"listening http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
