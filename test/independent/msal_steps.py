"""The steps of msal-python.ts. Prints one JSON object with what the library made of each answer."""

import base64
import json
import re
import sys
from urllib.parse import parse_qs, urlsplit

import msal
import requests

S = json.loads(sys.argv[1])
SEEN: dict = {}


def control(order, **body):
    answer = requests.post(f"{S['control']}/{order}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def client(secret=None, capabilities=None):
    return msal.ConfidentialClientApplication(
        S["client_id"],
        client_credential=secret or S["client_secret"],
        authority=f"{S['url']}/organizations",
        instance_discovery=False,
        client_capabilities=capabilities,
    )


def sign_in(app):
    """By msal's own flow, which makes PKCE, state and nonce, and checks the id token."""
    flow = app.initiate_auth_code_flow(S["scopes"], redirect_uri=S["redirect_uri"])
    callback = control("sign-in", account=S["account"], authorizeUrl=flow["auth_uri"])["callbackUrl"]
    answer = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
    return app.acquire_token_by_auth_code_flow(flow, answer)


def brief(result):
    names = ("error", "suberror", "error_codes", "claims")
    return {name: result[name] for name in names if name in result}


app = client()
first = sign_in(app)
SEEN["username"] = first["id_token_claims"]["preferred_username"]
account = app.get_accounts()[0]
silent = app.acquire_token_silent_with_error(S["scopes"], account)
SEEN["silent_from_cache"] = silent["access_token"] == first["access_token"]
forced = app.acquire_token_silent_with_error(S["scopes"], account, force_refresh=True)
SEEN["refreshed"] = forced["access_token"] != first["access_token"]
SEEN["wrong_secret"] = brief(sign_in(client(secret="wrong8Q~secret")))
SEEN["garbage"] = brief(app.acquire_token_by_refresh_token("none", S["scopes"]))

SEEN["refusals"] = {}
for aadsts in (50076, 53003, 65001):
    # A new client each time: msal answers a repeated request from its memory for a minute after such a refusal.
    asking = client()
    sign_in(asking)
    control("misbehave", knob="aadsts", value=aadsts)
    refused = asking.acquire_token_silent_with_error(
        S["scopes"], asking.get_accounts()[0], force_refresh=True
    )
    SEEN["refusals"][aadsts] = brief(refused)
    control("behave")

cae = client(capabilities=["CP1"])
long = sign_in(cae)
SEEN["cae_seconds"] = long["expires_in"]
control("revoke-sessions", account=S["account"])
me = requests.get(
    f"{S['url']}/v1.0/me", headers={"Authorization": f"Bearer {long['access_token']}"}, timeout=10
)
SEEN["challenge"] = me.status_code
claims = base64.b64decode(re.search('claims="([^"]+)"', me.headers["www-authenticate"])[1]).decode()
refused = cae.acquire_token_silent_with_error(S["scopes"], cae.get_accounts()[0], claims_challenge=claims)
SEEN["after_revocation"] = brief(refused)
flow = cae.initiate_auth_code_flow(S["scopes"], redirect_uri=S["redirect_uri"], claims_challenge=claims)
SEEN["claims_at_sign_in"] = parse_qs(urlsplit(flow["auth_uri"]).query)["claims"][0]
# What it sends with a challenge and without one, to compare with the broker.
compared = client(capabilities=["cp1"])
sign_in(compared)
SEEN["sent"] = []
for challenge in (None, S["challenge"]):
    flow = compared.initiate_auth_code_flow(
        S["scopes"], redirect_uri=S["redirect_uri"], claims_challenge=challenge
    )
    compared.acquire_token_silent_with_error(
        S["scopes"], compared.get_accounts()[0], force_refresh=True, claims_challenge=challenge
    )
    sent = requests.get(f"{S['control']}/token-requests", timeout=10).json()["recent"][-1]
    authorize = parse_qs(urlsplit(flow["auth_uri"]).query)["claims"][0]
    SEEN["sent"].append({"authorize": authorize, "token": sent["values"]["claims"]})
print(json.dumps(SEEN))
