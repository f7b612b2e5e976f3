"""From Python: one question, and several at once that share the model's batches.

python examples/python_api.py
"""

import asyncio

from picture import OPTIONS, QUESTION, save_picture

import g2u


async def main() -> None:
    """Ask once with every step told, then with three policies at the same time."""
    picture = save_picture()
    run = await g2u.aask(
        picture,
        QUESTION,
        options=OPTIONS,
        on_event=lambda event: print(event["step"], event.get("round", "")),
    )
    print(f"{run.answer}; from the original alone: {run.direct_answer}")

    policies = ["self", "fixed:trace_path", "none"]
    runs = await asyncio.gather(
        *(g2u.aask(picture, QUESTION, options=OPTIONS, policy=policy, out=None) for policy in policies)
    )
    for policy, run in zip(policies, runs, strict=True):
        print(f"{policy}: {run.answer}")


if __name__ == "__main__":
    asyncio.run(main())
