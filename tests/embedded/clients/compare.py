"""Where answers are not those that the real control plane gave, told step by step. Pure but for reading the record."""

from __future__ import annotations

from difflib import unified_diff

from tests.embedded.clients.topic import Answer, Topic, recorded


def differences(topic: Topic, answers: list[Answer], *, of_the_real_one: bool = False) -> list[str]:
    """One text per step that is not as recorded; for ours, a step that `differs` must, and tells when it does not."""
    before = recorded(topic.name)
    steps = [step for step in topic.steps if not step.start]
    if [each.run for each in before] != [step.command for step in steps]:
        return [
            f"{topic.name}: other steps than recorded; run `python -m tests.embedded.clients --record {topic.name}`"
        ]
    found = []
    for step, answer, wanted in zip(steps, answers, before, strict=True):
        expected = not (step.differs and not of_the_real_one)
        if (answer == wanted) is expected:
            continue
        where = f"{topic.name}: {step.command}\n"
        found.append(
            where + (_diff(wanted, answer) if expected else f"  says the same now: remove `differs`: {step.differs}\n")
        )
    return found


def told_otherwise(story: str, answers: list[Answer]) -> list[str]:
    """The same for a story of the Python client."""
    before = recorded(story)
    if [each.run for each in before] != [each.run for each in answers]:
        return [f"{story}: other steps than recorded; run `python -m tests.embedded.clients --record {story}`"]
    pairs = zip(answers, before, strict=True)
    return [f"{story}: {answer.run}\n{_diff(wanted, answer)}" for answer, wanted in pairs if answer != wanted]


def _diff(wanted: Answer, answer: Answer) -> str:
    one, other = (
        [f"exit {each.code}", *each.stdout, *(f"stderr: {line}" for line in each.stderr)] for each in (wanted, answer)
    )
    return "".join(f"  {line}\n" for line in unified_diff(one, other, "recorded", "now", lineterm="", n=1))
