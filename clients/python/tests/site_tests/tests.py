"""Tests of a project as they were before it adopted the broker, and one that a project writes then.
test_project_tests.py runs them."""

import socket
from unittest import mock

from django.contrib.auth import get_user_model
from django.test import Client, TestCase, TransactionTestCase, override_settings

from token_broker_client.django import conf, tokens
from token_broker_client.testing import FakeBroker


class NoNetwork(TransactionTestCase):
    def setUp(self):
        patched = mock.patch.object(socket, "create_connection", side_effect=OSError)
        opened = patched.start()
        self.addCleanup(opened.assert_not_called)
        self.addCleanup(patched.stop)
        self.user = get_user_model().objects.create_user(username="jane", password="x")
        self.client.force_login(self.user)


class OldTests(NoNetwork, TestCase):
    def test_a_user_logs_out(self):
        self.client.post("/logout")
        self.assertNotIn("_auth_user_id", self.client.session)

    def test_a_user_is_deactivated(self):
        with self.captureOnCommitCallbacks(execute=True):
            self.user.is_active = False
            self.user.save()


class OldTransactionTests(NoNetwork):
    def test_a_user_is_deleted(self):
        self.user.delete()

    def test_users_are_deleted_in_bulk(self):
        get_user_model().objects.all().delete()

    def test_settings_change_in_a_test(self):
        given = {**conf.get_settings(), "HOME_URL": "/"}
        with override_settings(TOKEN_BROKER=given):
            self.user.delete()


class OldTestsWithSharedData(TestCase):
    calls = 0

    @classmethod
    def setUpTestData(cls):
        with mock.patch.object(socket, "create_connection", side_effect=OSError) as opened:
            user = get_user_model().objects.create_user(username="jane", password="x")
            browser = Client()
            browser.force_login(user)
            browser.post("/logout")
        cls.calls = opened.call_count

    def test_the_shared_data_called_nobody(self):
        self.assertEqual(self.calls, 0)


class NewTests(NoNetwork, TestCase):
    def test_a_page_of_a_connected_user(self):
        with conf.use_fake(FakeBroker()) as broker:
            broker.connect("jane")
            self.assertTrue(tokens.get_access_token(self.user).startswith("fake-token-jane"))
            broker.disconnect("jane")
            page = self.client.get("/documents")
            self.assertTrue(page["location"].startswith("/microsoft/connect"))
