"""What JSON Schema cannot say of a right request. Requests that are wrong by it alone are not sent: they get 400, as they should."""

import schemathesis

# Later revisions have no batches. The session of the run is of this one.
LAST_WITH_BATCHES = "2025-03-26"


PRINCIPAL = {"principal"}
BEARER = {"issuer", "subject"}


def names_one_principal(case):
    """A list is of everybody, of a principal, or of an issuer's subject; and an end is not of everybody."""
    given = (PRINCIPAL | BEARER) & set(case.query or {})
    return given in (PRINCIPAL, BEARER) or (not given and case.operation.method.upper() == "GET")


@schemathesis.hook
def filter_case(context, case):
    if case.operation.path in ("/sessions", "/handles", "/tasks"):
        return names_one_principal(case)
    body = case.body
    if case.operation.path != "/mcp" or not isinstance(body, list):
        return True
    headers = {name.lower(): value for name, value in (case.headers or {}).items()}
    if headers.get("mcp-protocol-version", LAST_WITH_BATCHES) > LAST_WITH_BATCHES:
        return False
    # Two requests with one id could not be told apart.
    ids = [repr(message["id"]) for message in body if isinstance(message, dict) and "method" in message and "id" in message]
    return len(set(ids)) == len(ids)
