"""HTTP and WebSocket face of one line. A thin file per noun; no rule of the plant lives here."""
