"""The JavaScript modules as a TypeScript program sees them, beside the official client."""

import json
from pathlib import Path

import pytest

from local import npm
from tests.realtime.playing import ROOM

PROGRAM = """
import { createClient } from '@supabase/supabase-js'
import { Subscriber } from './subscriber.js'
import type { Ledger, Status } from './ledger.js'

const live = new Subscriber(createClient('https://x.supabase.co', 'key'), { heads: 5_000 })
const stop: () => void = live.follow('inbox:1', (ledger: Ledger, change) => {
  const status: Status = ledger.status
  const version: number | undefined = change?.version
  for (const { id, rev } of ledger.rows.values()) status + id.trim() + (rev + (version ?? 0))
})
stop()
"""
OPTIONS = {
    "strict": True,
    "checkJs": True,
    "allowJs": True,
    "noEmit": True,
    "skipLibCheck": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}


async def test_the_modules_are_well_typed(tmp_path: Path, javascript: Path) -> None:
    try:
        typescript = await npm.install("typescript@5.9.3")
    except npm.NodeUnavailable as reason:
        pytest.skip(str(reason))
    for name in ("ledger.js", "subscriber.js"):
        (tmp_path / name).write_bytes((ROOM / name).read_bytes())
    (tmp_path / "play.js").write_bytes(
        Path(__file__).with_name("vectors").joinpath("play.js").read_bytes()
    )
    (tmp_path / "program.ts").write_text(PROGRAM)
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS}))
    (tmp_path / "node_modules").symlink_to(javascript)
    compiler = typescript / "typescript" / "bin" / "tsc"
    await npm.run(["node", str(compiler), "--pretty", "false"], tmp_path)
