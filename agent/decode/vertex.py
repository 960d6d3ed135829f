"""Vertex AI: a custom container for predictions, called on the path that ``AIP_PREDICT_ROUTE`` names.

Bodies are those of V1: ``{"instances": [...], "parameters": {...}}`` and ``{"predictions": [...]}``. ``parameters`` are of the
call, not of a row. ``deployedModelId``, ``model``, ``modelVersionId`` and the like are added by the endpoint in front of the
container; should a container send them, they are not taken for the model's name, since no profile is named after them.

Source: Vertex AI "Custom container requirements for prediction".
"""

from __future__ import annotations

from agent.decode.format import Format
from agent.decode.kserve_v1 import KSERVE_V1

VERTEX = Format("vertex-ai", KSERVE_V1.inputs, KSERVE_V1.outputs)
