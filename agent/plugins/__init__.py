"""Ways into other programs: a tool, a set of tools, a node, an MCP server, a model of lmms-eval, exporters of runs.

`g2u.as_tool`, `g2u.edit_tools`, `g2u.as_node` and `g2u.mcp_app` are the same functions. All of them find the model with
`g2u.get_engine`, so that a process that uses several ways at once holds one copy of it.
"""
