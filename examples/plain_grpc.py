"""A workflow through the plain gRPC stubs, without the client: plain_grpc.py [ADDRESS [MODEL]]"""

import sys

import grpc
from google.protobuf.json_format import ParseDict

from catenary.v1 import gateway_service_pb2, gateway_service_pb2_grpc, run_pb2

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7450"
model = sys.argv[2] if len(sys.argv) > 2 else "small"
draft = {"model": model, "prompt": "A paragraph on {{ inputs.topic }}:\n", "sampling": {"maxTokens": 48}}
title = {"model": model, "prompt": "{{ draft.text }}\nIts title:", "sampling": {"maxTokens": 12}}
workflow = {
    "name": "draft-and-title",
    "slo": {"deadline": "60s"},
    "inputs": {"topic": "INPUT_TYPE_STRING"},
    "calls": [{"name": "draft", "model": draft}, {"name": "title", "model": title}],
    "output": "{{ title.text }}",
}
fields = {"workflow": workflow, "inputs": {"topic": "slack chains"}, "streamTokens": True}
request = ParseDict(fields, gateway_service_pb2.SubmitWorkflowRequest())
with grpc.insecure_channel(address) as channel:
    for response in gateway_service_pb2_grpc.GatewayServiceStub(channel).SubmitWorkflow(request):
        for event in response.events:
            body = getattr(event, event.WhichOneof("event"))
            if event.HasField("call_tokens"):
                print(body.text, end="", flush=True)
            elif event.HasField("run_finished") or event.HasField("run_refused"):
                print(f"\n{run_pb2.Outcome.Name(body.outcome)}\n{body}")
