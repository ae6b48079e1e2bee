#!/bin/sh
# check.sh SOURCE BUILD: clients that are generated from doc/openapi.json in TypeScript and Python
# compile, and each takes and refunds a payment. Node.js, npm, and a network to the package
# registries of both languages.
set -eu
src=$1 build=$2
dir=$build/clients
command -v npm > /dev/null || { echo "npm is missing: install nodejs and npm" >&2; exit 1; }
rm -rf "$dir"
mkdir -p "$dir"
cp "$src/tests/clients/pay.ts" "$src/tests/clients/pay.py" "$dir"

echo "== tools"
cd "$dir"
printf '{ "private": true, "type": "module" }\n' > package.json
npm install --silent --no-audit --no-fund openapi-typescript@7.13.0 typescript@5.9.3 \
	openapi-fetch@0.17.0 @types/node@20 > npm.log 2>&1 || { cat npm.log >&2; exit 1; }
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openapi-python-client==0.29.1 mypy==1.18.2

echo "== TypeScript"
npx openapi-typescript "$src/doc/openapi.json" -o schema.d.ts > typescript.log 2>&1
npx tsc --strict --target es2022 --module nodenext --skipLibCheck pay.ts

echo "== Python"
PATH=$dir/venv/bin:$PATH venv/bin/openapi-python-client generate --fail-on-warning \
	--path "$src/doc/openapi.json" --output-path python > python.log 2>&1 ||
	{ cat python.log >&2; exit 1; }
PYTHONPATH=$dir/python venv/bin/mypy --strict pay.py

echo "== payments"
PYTHONPATH=$src/tests/system "$build/venv/bin/python" -B "$src/tests/clients/with_stack.py" "$build" \
	"node pay.js" "env PYTHONPATH=$dir/python $dir/venv/bin/python -B pay.py"
