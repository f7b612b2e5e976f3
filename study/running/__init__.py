"""How a study is answered: runner, Ray, drawers and controls, kept drawings, the folder and what is read back from it.

Never: conclusions.
"""
