"""The policy is chosen in the admin: by name or by path, with a reason, once and for ever."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from fulfillment import choosing, ranking
from fulfillment.models import PolicyChoice
from fulfillment.planning.policies import BUILT_IN
from tests.scene import NOW

pytestmark = pytest.mark.django_db

ADD = "/admin/fulfillment/policychoice/add/"
LIST = "/admin/fulfillment/policychoice/"
OWN = "tests.fulfillment.own_policies"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("anna", "anna@example.com", "disc-disc-disc"))
    return client


def test_each_built_in_is_offered_with_a_sentence(staff: Client) -> None:
    body = staff.get(ADD).content.decode()
    for name, policy in BUILT_IN.items():
        assert f'value="{name}"' in body
        assert (policy.__doc__ or "?").split(";")[0].split(",")[0] in body


@pytest.mark.parametrize(
    ("values", "policy"),
    [
        ({"name": "earliest-due"}, "earliest-due"),
        ({"name": "own", "path": f"{OWN}.Plain"}, f"{OWN}.Plain"),
    ],
)
def test_a_choice_is_in_force_at_once_with_who_and_why(staff: Client, values: dict[str, str], policy: str) -> None:
    answer = staff.post(ADD, values | {"why": "Christmas is near."}, follow=True)
    choice = PolicyChoice.objects.get()
    assert (choice.policy, choice.why, choice.failure) == (policy, "Christmas is near.", "")
    assert choice.chosen_by.endswith(" anna")
    assert ranking.in_force(NOW).ranked_by == f"choice {choice.pk}"
    assert f"In force: {policy}" in answer.content.decode()


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"name": "own", "path": "nowhere.Policy", "why": "x"}, "path", "No module named"),
        ({"name": "own", "path": f"{OWN}.Rankless", "why": "x"}, "path", "it has no rank(job)"),
        ({"name": "own", "path": f"{OWN}.Wordy", "why": "x"}, "path", "at most 5 numbers"),
        ({"name": "own", "path": f"{OWN}.Raising", "why": "x"}, "path", "KeyError"),
        ({"name": "own", "path": "", "why": "x"}, "path", "Say which"),
        ({"name": "earliest-due", "path": f"{OWN}.Plain", "why": "x"}, "path", "Leave it empty for earliest-due"),
        ({"name": "earliest-due", "why": " "}, "why", "required"),
        ({"why": "x"}, "name", "required"),
    ],
)
def test_a_bad_choice_is_refused_beside_its_field(staff: Client, values: dict[str, str], field: str, said: str) -> None:
    answer = staff.post(ADD, values)
    errors = answer.context["adminform"].form.errors
    assert set(errors) == {field}
    assert said in errors[field][0]
    assert not PolicyChoice.objects.exists()


def test_nobody_changes_or_deletes_a_choice(staff: Client) -> None:
    choice = choosing.choose("earliest-due", why="A test.", who="user:1 anna", now=NOW)
    url = f"{LIST}{choice.pk}/"
    assert staff.get(f"{url}change/").status_code == 200
    assert staff.post(f"{url}change/", {"why": "another"}).status_code == 403
    assert staff.post(f"{url}delete/", {"post": "yes"}).status_code == 403
    staff.post(LIST, {"action": "delete_selected", "_selected_action": choice.pk, "post": "yes"})
    assert PolicyChoice.objects.get() == choice


def test_the_list_says_what_is_in_force_and_what_failed(staff: Client) -> None:
    assert "(the setting SPINDLE_POLICY)" in staff.get(LIST).content.decode()
    choosing.choose("earliest-due", why="A test.", who="user:1 anna", now=NOW)
    choice = choosing.choose(f"{OWN}.Plain", why="A test.", who="user:1 anna", now=NOW)
    choosing.note_failure(choice, "KeyError: 1", NOW)
    body = staff.get(LIST).content.decode()
    assert "jobs are made in order of receipt" in body
    assert "KeyError: 1" in body
