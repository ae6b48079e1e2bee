#!/bin/sh
# What the documents say and a program can check.
if ! command -v python3 > /dev/null; then
	echo "1..0 # SKIP python3 is not installed"
	exit 0
fi
exec python3 -B "${srcdir:-.}/tests/docs.py" "${srcdir:-.}"
