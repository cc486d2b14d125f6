"""Rules in CEL of custom kinds are compiled and obeyed as kube-apiserver does it: whole answers.

The real answers are recorded in `cases/cel-recorded.json`.
"""

import os
from pathlib import Path

import pytest

from tests.embedded.api.crdsteps import AttentiveServer, answers_of, expand, load_scenarios
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.embedded.recording import Recording
from tests.peers.controlplane import ControlPlane
from trueup.cli.expressions import EngineExpressions
from trueup.embedded.api.celrules import NOT_EVALUATED
from trueup.embedded.api.expressions import NotEvaluated
from trueup.embedded.schema.rules import ruled
from trueup.render.engine.pool import EnginePool

CASES = Path(__file__).parent / "cases"
SCENARIOS = load_scenarios(CASES / "cel-rules.yaml")
RECORDING = Recording(CASES / "cel-recorded.json", SCENARIOS, answers_of, ask=AttentiveServer, at_a_time=4)


@pytest.mark.parametrize("title", SCENARIOS)
async def test_rules_are_obeyed_as_by_the_real_server(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await RECORDING.compare(bare_embedded_cluster.kubeconfig, title, namespace_name)


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    await RECORDING.prove(bare_control_plane.kubeconfig)


RULED = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "x-kubernetes-validations": [{"rule": "self.a > 3", "message": "too small"}],
}


async def test_without_an_evaluator_rules_are_kept_and_every_answer_says_that_they_were_not_evaluated(
    namespace_name: str,
) -> None:
    steps = [*expand({"define": {"spec": RULED, "probe": {"spec": {"a": 9}}}}), *expand({"try": {"a": 1}})]
    with running_cluster("--no-workloads", module="trueup.embedded") as cluster:
        async with AttentiveServer(cluster.kubeconfig) as server:
            (_, made), (_, shown), _, (status, tried) = await answers_of(server, {"steps": steps}, namespace_name)
    assert NOT_EVALUATED in made["(warnings)"][0]
    assert shown["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] == RULED
    assert status == 201
    assert NOT_EVALUATED in tried["(warnings)"][0]


async def test_an_engine_that_cannot_be_started_is_not_asked_for_with_every_write(tmp_path: Path) -> None:
    schema = ruled(RULED)
    assert schema is not None
    missing = tmp_path / "cel"
    async with EngineExpressions(EnginePool(workers=1, binary=missing)) as expressions:
        with pytest.raises(NotEvaluated, match="cannot be started"):
            await expressions.rule_problems(schema, {"a": 1}, None)
        missing.write_text("#!/bin/sh\nsleep 60\n")  # it would hang
        missing.chmod(0o755)
        with pytest.raises(NotEvaluated, match="cannot be started"):
            await expressions.rule_problems(schema, {"a": 1}, None)


async def test_a_schema_is_sent_once_and_known_by_its_digest_from_then_on() -> None:
    schema = ruled(RULED)
    assert schema is not None
    async with EngineExpressions() as expressions:
        first = await expressions.rule_problems(schema, {"a": 1}, None)
        again = await expressions.rule_problems(type(schema)(schema.digest, {}), {"a": 1}, None)
    assert first == again
    assert [str(each) for each in first.problems] == ["<nil>: Invalid value: too small"]


async def test_an_engine_that_died_while_idle_is_replaced() -> None:
    schema = ruled(RULED)
    assert schema is not None
    async with EnginePool(workers=1, engine="cel") as pool, EngineExpressions(pool) as expressions:
        assert (await expressions.rule_problems(schema, {"a": 1}, None)).problems
        await pool.use(lambda process: os.kill(process.pid, 9))
        assert (await expressions.rule_problems(schema, {"a": 1}, None)).problems
