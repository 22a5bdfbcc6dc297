#!/usr/bin/env bash
# The Python binding: build its wheel, install it into a fresh virtual environment, verify a live server through it; and
# the JSON of enclavectl against its schema, with a validator that we did not write.
. "$(dirname "$0")/lib.sh"

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
python3 -m venv "$work/build" && python3 -m venv "$work/fresh"
"$work/build/bin/pip" -q install setuptools==80.9.0 wheel==0.45.1
cp -r "$SOURCE/bindings/python" "$work/source"
ENCLAVE_VERIFIER_LIBRARY=$(realpath "$BUILD/lib/libenclave-verifier.so.0") \
    "$work/build/bin/pip" -q wheel --no-deps --no-build-isolation -w "$work/wheels" "$work/source"
ls "$work"/wheels/enclave_verifier-*-py3-none-linux_x86_64.whl >/dev/null || fail "wheels: $(ls "$work/wheels")"
"$work/fresh/bin/pip" -q install "$work"/wheels/*.whl requests==2.32.5 jsonschema==4.25.1

collateral_port=$(free_port)
check start --collateral-listen "127.0.0.1:$collateral_port"
push hello hello-c
"$work/fresh/bin/python" -W error "$SOURCE/tests/e2e/python_client.py" "127.0.0.1" "$port" \
    "http://127.0.0.1:$collateral_port" "$work/sim/quote-simulation/root.pem" "$(ctl measure "$BUILD/enclave_os.signed")" \
    "$(sha256sum "$BUILD/apps/hello-c.wasm" | cut -d' ' -f1)" ||
    fail "the Python client"

# the documented schema: a good result, a bad one, one with little in it
ctl verify "$url" --allow-simulation --json >"$work/1.json"
ctl verify "$url" --pccs "http://127.0.0.1:$collateral_port" --json >"$work/2.json" || true
ctl verify "$url" --allow-simulation --app "hello=$(printf '00%.0s' $(seq 32))" --app "b=$(printf '00%.0s' $(seq 32))" \
    --json >"$work/3.json" || true
"$work/fresh/bin/python" - "$SOURCE/docs/verify.schema.json" "$work"/[123].json <<'PYTHON' || fail "the schema"
import json, sys
import jsonschema

schema, *results = [json.load(open(path)) for path in sys.argv[1:]]
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for result in results:
    validator.validate(result)
    unknown = set(result) - set(schema["properties"])
    assert not unknown, f"not in the schema: {unknown}"
assert [r["verified"] for r in results] == [True, False, False]
assert results[0]["tcb_status"] == "Unknown" and results[0]["url"].startswith("https://")
assert len(results[2]["checks"]) == len(results[0]["checks"]) + 1
for broken in ({}, {**results[0], "verified": "yes"}, {**results[0], "mrenclave": "00"}, {**results[0], "checks": []}):
    assert not validator.is_valid(broken), "the schema takes anything"
PYTHON
check stop
