"""The app with the fake analyzer, for tests of what a browser makes of the page: `python serve_fake.py PORT`."""

import sys
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if __name__ == "__main__":
    from streamlit.web import bootstrap

    from components.shared import engine
    from tests.fakes import FakeAnalyzer, FakeSpace

    fake, space = FakeAnalyzer(), FakeSpace()
    engine.analyzer = lambda: fake  # type: ignore[assignment]
    engine.lend = lambda: nullcontext(fake)  # type: ignore[assignment]
    engine.joint_space = lambda: space  # type: ignore[assignment]
    bootstrap.load_config_options({"server.port": int(sys.argv[1]), "server.headless": True})
    bootstrap.run(str(ROOT / "app.py"), False, [], {})
