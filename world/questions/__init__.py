"""What can be asked about a picture of the world, in plain English, with the right answers.

Never: how a picture is painted.
"""
