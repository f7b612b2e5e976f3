"""The study: do self-chosen edits fit the task? Arms x items x seeds through the graph and engine of every other run.

A study is a folder: `study.json` says what is asked (`arms.Study`), `items.jsonl` holds the questions, `lines.jsonl`
one line an answer, `pictures/` every picture. `runner` fills it, `results` reads it back, `tables` draws conclusions
from it and `report` shows them.
"""
