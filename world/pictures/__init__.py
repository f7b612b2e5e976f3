"""What is painted: scenes, mazes, tangles, charts, patterns and writing, each with its questions.

Never: what stands between a picture and its answer.
"""
