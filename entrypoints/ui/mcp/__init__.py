"""Serve the Model Context Protocol (MCP) at each page."""
