"""The client signs and verifies byte by byte like the broker. The vectors are made by src/signature."""

import json

import pytest

from token_broker_client import Ed25519Key, Ed25519PublicKey, HmacKey
from token_broker_client.messages import Request, Response
from token_broker_client.signing import VerificationFailed, Verified, sign_request, verify_response

from conftest import WORLD

with open(WORLD["vectors"], encoding="utf-8") as file:
    VECTORS = json.load(file)
NOW = VECTORS["now"]
CASES = VECTORS["cases"]


def request_of(case, headers=True):
    given = case["request"]
    target = given["url"][len("http://" + VECTORS["authority"]) :]
    pairs = case["headers"] if headers else given.get("headers", {})
    body = given["body"].encode() if "body" in given else None
    return Request(
        given["method"], "http://127.0.0.1:1", VECTORS["authority"], "http", target, tuple(pairs.items()), body
    )


def signing_key(case):
    key = case["key"]
    return (
        HmacKey(key["key_id"], key["secret"])
        if case["algorithm"] == "hmac-sha256"
        else Ed25519Key(key["key_id"], key["private_key"])
    )


def response_key(case):
    return signing_key(case) if case["algorithm"] == "hmac-sha256" else Ed25519PublicKey(**VECTORS["responseKey"])


def response_of(answer, **changes):
    changed = {**answer, **changes}
    return Response(changed["status"], list(changed["headers"].items()), changed["body"].encode())


@pytest.mark.parametrize("case", CASES)
def test_a_request_gets_the_same_signature_as_from_the_broker(case):
    signed = sign_request(request_of(case, headers=False), signing_key(case), NOW, case["nonce"])
    assert dict(signed.headers) == case["headers"]


@pytest.mark.parametrize("case", CASES)
def test_answers_of_the_broker_are_accepted(case):
    for answer in case["answers"]:
        assert verify_response(response_of(answer), request_of(case), response_key(case), NOW) == Verified(NOW)


def test_a_changed_character_anywhere_in_a_signed_answer_is_refused():
    count = 0
    for case in CASES[:1] + CASES[-1:]:
        key, request = response_key(case), request_of(case)
        for answer in case["answers"]:
            for name in (
                "signature-input",
                "signature",
                "content-digest",
                "cache-control",
                "content-type",
                "retry-after",
                "date",
            ):
                value = answer["headers"].get(name, "")
                for at, character in enumerate(value):
                    other = "B" if character != "B" else "C"
                    changed = {**answer["headers"], name: value[:at] + other + value[at + 1 :]}
                    result = verify_response(response_of(answer, headers=changed), request, key, NOW)
                    assert isinstance(result, VerificationFailed), (name, at)
                    count += 1
            for at in range(len(answer["body"])):
                result = verify_response(
                    response_of(answer, body=answer["body"][:at] + "#" + answer["body"][at + 1 :]), request, key, NOW
                )
                assert isinstance(result, VerificationFailed), at
                count += 1
    assert count > 2000


def test_an_answer_to_another_request_is_refused():
    for case in CASES:
        for other in CASES:
            if other is not case and other["algorithm"] == case["algorithm"]:
                result = verify_response(response_of(case["answers"][0]), request_of(other), response_key(case), NOW)
                assert isinstance(result, VerificationFailed)


@pytest.mark.parametrize("case", [CASES[0], CASES[-1]])
def test_hostile_answers_are_refused(case):
    answer, request, key = case["answers"][0], request_of(case), response_key(case)
    given = answer["headers"]["signature-input"]

    def result(pairs=None, status=200, now=NOW, **headers):
        named = {**answer["headers"], **{name.replace("_", "-"): value for name, value in headers.items()}}
        return verify_response(
            Response(status, pairs or list(named.items()), answer["body"].encode()), request, key, now
        )

    assert result(status=404) == VerificationFailed("wrong_signature")
    assert result(now=NOW + 61) == VerificationFailed("clock_skew", NOW)
    assert result(now=NOW - 61) == VerificationFailed("clock_skew", NOW)
    assert isinstance(result(now=NOW + 60), Verified)
    assert result(
        pairs=list(answer["headers"].items()) + [("Signature", answer["headers"]["signature"])]
    ) == VerificationFailed("malformed_signature")
    assert result(pairs=[pair for pair in answer["headers"].items() if pair[0] != "signature"]) == VerificationFailed(
        "unsigned"
    )
    assert result(
        signature_input=given.replace('tag="token-broker-response/1"', 'tag="token-broker/1"')
    ) == VerificationFailed("wrong_tag")
    assert result(signature_input=given + ";alg=1") == VerificationFailed("parameter_invalid")
    assert result(signature_input=given.replace('"@status" ', "")) == VerificationFailed("component_missing")
    assert result(signature_input=given.replace('"signature-input";req', '"signature";req')) == VerificationFailed(
        "component_missing"
    )
    assert result(signature_input=given.replace('"@status"', '"@status" "@status"')) == VerificationFailed(
        "component_not_allowed"
    )
    assert result(signature_input=given.replace('"@status"', '"@status";sf')) == VerificationFailed(
        "component_not_allowed"
    )
    assert result(signature_input=given.replace('"@method";req', '"@method"')) == VerificationFailed(
        "component_unresolvable"
    )
    assert result(signature_input=given.replace('" "', '"  "', 1)) == VerificationFailed("malformed_signature")
    assert result(signature_input=given + ", sig2=()") == VerificationFailed("malformed_signature")
    assert result(signature_input="x" * 5000) == VerificationFailed("malformed_signature")


def test_the_signature_of_a_request_is_not_accepted_for_an_answer():
    case = CASES[0]
    answer = {
        **case["answers"][0],
        "headers": {
            **case["answers"][0]["headers"],
            "signature-input": case["headers"]["signature-input"],
            "signature": case["headers"]["signature"],
        },
    }
    assert isinstance(
        verify_response(response_of(answer), request_of(case), response_key(case), NOW), VerificationFailed
    )
