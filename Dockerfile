# Two images from one file: `services` (gateway, router, profiler, provisioner) and `worker` (with an engine).
# Arguments: BASE, the Python image; ENGINE, which vLLM the worker has: cpu, gpu or none (emulated engines only).
ARG BASE=python:3.11.13-slim-bookworm

FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PATH=/opt/catenary/bin:$PATH
RUN python3 -m venv /opt/catenary
WORKDIR /build
COPY pyproject.toml deploy/requirements.py ./
RUN python requirements.py > requirements.txt && pip install --requirement requirements.txt

FROM dependencies AS wheel
COPY README.md LICENSE ./
COPY libs libs
COPY services services
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM ${BASE} AS base
ENV PATH=/opt/catenary/bin:$PATH PYTHONUNBUFFERED=1 \
    CATENARY_CONFIG=/etc/catenary/catenary.yaml CATENARY_CACHE_DIR=/var/lib/catenary HF_HOME=/var/lib/catenary/huggingface
RUN useradd --uid 10001 --create-home catenary \
    && install --directory --owner catenary --group catenary /var/lib/catenary /var/lib/catenary/profiles

FROM base AS services
COPY --from=dependencies /opt/catenary /opt/catenary
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps --no-cache-dir /wheels/*.whl
USER catenary
WORKDIR /var/lib/catenary
ENTRYPOINT ["python", "-m"]

FROM base AS worker
ARG ENGINE=cpu
ARG TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
COPY --from=dependencies /opt/catenary /opt/catenary
COPY pyproject.toml deploy/requirements.py deploy/install_engine.sh /build/
RUN sh /build/install_engine.sh "$ENGINE" "$TORCH_CPU_INDEX"
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps --no-cache-dir /wheels/*.whl
USER catenary
WORKDIR /var/lib/catenary
ENTRYPOINT ["python", "-m"]
