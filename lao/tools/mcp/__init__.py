"""MCP servers as tools of models: which ones, their processes, their tools made small. The protocol is the SDK's."""
