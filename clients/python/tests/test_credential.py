"""Credentials for Microsoft's SDKs: the SDKs as they are, the real broker, and the simulated Graph."""

import asyncio
import io
from urllib.parse import urlsplit

import pytest
import requests
from azure.core.credentials import SupportsTokenInfo, TokenCredential, TokenRequestOptions
from azure.core.credentials_async import AsyncSupportsTokenInfo, AsyncTokenCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.drives.item.items.item.create_upload_session.create_upload_session_post_request_body import (
    CreateUploadSessionPostRequestBody,
)
from msgraph_core.tasks import LargeFileUploadTask
from office365.graph_client import GraphClient

import token_broker_client as tb
from token_broker_client.credential import AsyncBrokerCredential, BrokerCredential
from token_broker_client.testing import FakeBroker

from conftest import WORLD, make_client, new_user, post

# msgraph-sdk's own code uses classes that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

SCOPE = "https://graph.microsoft.com/.default"
GRAPH = urlsplit(WORLD["graph"])
HOSTS = frozenset({GRAPH.hostname or ""})


def graph_of(credential):
    """The SDK, with the address of simulated Graph in place of Microsoft's."""
    provider = AzureIdentityAuthenticationProvider(credential, allowed_hosts=[GRAPH.hostname])
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = f"{WORLD['graph']}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


def fake_user():
    broker = FakeBroker()
    broker.connect("42")
    return broker, broker.client(monotonic=lambda: 0.0)


def test_the_credentials_are_those_of_azure_core():
    _, client = fake_user()
    assert isinstance(BrokerCredential(client, "42"), TokenCredential)
    assert isinstance(BrokerCredential(client, "42"), SupportsTokenInfo)
    assert isinstance(AsyncBrokerCredential(client, "42"), AsyncTokenCredential)
    assert isinstance(AsyncBrokerCredential(client, "42"), AsyncSupportsTokenInfo)


def test_an_sdk_asks_again_after_a_minute_so_that_a_disconnect_counts():
    _, client = fake_user()
    info = BrokerCredential(client, "42", clock=lambda: 1000.0).get_token_info(SCOPE)
    assert (info.expires_on, info.refresh_on) == (1000 + 3600, 1000 + 60)
    token = BrokerCredential(client, "42", clock=lambda: 1000.0).get_token("User.Read", tenant_id="x", enable_cae=True)
    assert token == ("fake-token-42-1", 4600)


@pytest.mark.parametrize(
    "scope", ["https://contoso.sharepoint.com/.default", "api://other/.default", "https://graph.microsoft.com.evil/x"]
)
def test_another_resource_gets_no_token(scope):
    broker, client = fake_user()
    with pytest.raises(ValueError, match="Microsoft Graph only"):
        BrokerCredential(client, "42").get_token(scope)
    assert broker.requests == []


def test_claims_are_passed_on_with_the_generation_that_graph_refused():
    broker, client = fake_user()
    credential = BrokerCredential(client, "42")
    assert credential.get_token(SCOPE).token == "fake-token-42-1"
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1764000000"}}}'
    assert credential.get_token(SCOPE, claims=claims).token == "fake-token-42-2"
    assert broker.claims == [{"nbf": {"essential": True, "value": "1764000000"}}]
    options = TokenRequestOptions(claims=claims)
    assert asyncio.run(AsyncBrokerCredential(client, "42").get_token_info(SCOPE, options=options)).token.endswith("-3")


def test_who_must_reconnect_is_said_through_the_sdk(client):
    graph = graph_of(AsyncBrokerCredential(client, new_user(), hosts=HOSTS))
    with pytest.raises(tb.NotConnected):
        asyncio.run(graph.me.get())


def test_the_graph_sdk_reads_the_profile_with_either_credential(client, connected):
    for credential in (AsyncBrokerCredential, BrokerCredential):
        graph = graph_of(credential(client, connected, hosts=HOSTS))
        me = asyncio.run(graph.me.get())
        assert me is not None
        assert me.user_principal_name == "jane@contoso.com"


def test_the_graph_sdk_answers_a_claims_challenge_by_itself(client, connected):
    order = {"knob": "cae_challenge", "value": True, "account": "jane@contoso.com", "times": 1}
    post(WORLD["entra"] + "/control/misbehave", order)
    before = client.get_token(connected).generation
    me = asyncio.run(graph_of(AsyncBrokerCredential(client, connected, hosts=HOSTS)).me.get())
    assert me is not None and me.user_principal_name == "jane@contoso.com"
    assert client.get_token(connected).generation > before


def test_an_upload_lasts_longer_than_two_tokens(connected):
    # As if each part took more than a minute.
    client = make_client(cache_seconds=0)
    content = b"".join(b"%06d\n" % line for line in range(3_000))
    generations = [client.get_token(connected).generation]

    def expire(_range):
        post(WORLD["controls"], {"action": "expire", "userId": connected})
        generations.append(client.get_token(connected).generation)

    async def upload():
        graph = graph_of(AsyncBrokerCredential(client, connected, hosts=HOSTS, context="upload"))
        drive = await graph.me.drive.get()
        assert drive is not None and drive.id is not None
        items = graph.drives.by_drive_id(drive.id).items
        children = await items.by_drive_item_id("root").children.get()
        assert children is not None and children.value
        item = items.by_drive_item_id(children.value[0].id or "")
        session = await item.create_upload_session.post(CreateUploadSessionPostRequestBody())
        assert session is not None
        task = LargeFileUploadTask(session, graph.request_adapter, io.BytesIO(content), max_chunk_size=8_000)
        await task.upload(expire)
        return await item.content.get()

    assert asyncio.run(upload()) == content
    assert len(set(generations)) > 2


class ToSimulatedGraph(requests.adapters.HTTPAdapter):
    def send(self, request, *arguments, **options):
        request.url = request.url.replace("https://graph.microsoft.com", WORLD["graph"])
        return super().send(request, *arguments, **options)


def test_office365_rest_python_client_takes_a_token_for_each_request(client, connected):
    session = requests.Session()
    session.mount("https://graph.microsoft.com", ToSimulatedGraph())

    def token():
        return {"token_type": "Bearer", "access_token": client.get_token(connected).access_token}

    graph = GraphClient(token_callback=token).with_transport(session=session)
    assert graph.me.get().execute_query().user_principal_name == "jane@contoso.com"
    items = graph.me.drive.root.children.get().execute_query()
    assert [item.name for item in items] == ["Hand hygiene audit.txt", "Action plan.md"]
