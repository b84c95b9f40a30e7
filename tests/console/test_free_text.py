"""Every text of a form is read by the field that refuses credentials; so are the words of the commands."""

import random

import pytest
from django import forms
from django.core.management import CommandError, call_command

from rollback_audit.console import forms as ours
from tests import credentials

FORMS = [form for form in vars(ours).values() if isinstance(form, type) and issubclass(form, forms.Form)]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_text_of_a_form_is_read_by_the_field_that_refuses_credentials(form: type[forms.Form]) -> None:
    for name, field in form.base_fields.items():
        assert type(field) is not forms.CharField, name


def test_the_field_names_the_rule_and_not_what_it_saw() -> None:
    secret = credentials.TOKENS["github token"](random.Random(random.getrandbits(64)))
    with pytest.raises(forms.ValidationError) as refused:
        ours.Typed().clean(f"See {secret}.")
    assert "(rule service_token)" in str(refused.value)
    assert secret not in str(refused.value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("reason", ["run", "--reason"]),
        ("reason", ["run", "abort", "gordackworker-1", "--reason"]),
        ("user", ["token", "create", "--role", "auditor", "--user"]),
        ("user", ["user", "create", "--role", "auditor", "--user"]),
    ],
)
def test_a_command_refuses_a_credential_by_field_and_rule(
    field: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.readline", lambda: "correct horse battery", raising=False)
    secret = credentials.TOKENS["github token"](random.Random(random.getrandbits(64)))
    with pytest.raises(CommandError, match=rf"^{field}: .*\(rule service_token\)") as refused:
        call_command(*words, secret)
    assert secret not in str(refused.value)
