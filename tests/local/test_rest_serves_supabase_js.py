"""The official JavaScript client reads, writes and calls functions through the gateway."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import orjson

from local.stack import Stack

SCRIPT = """
import { createRequire } from 'node:module'
const require = createRequire(process.env.MODULES + '/')
const { createClient } = require('@supabase/supabase-js')
const [url, key, name] = process.argv.slice(2)
const client = createClient(url, key, { realtime: { transport: require('ws') } })
const teams = () => client.from('teams')
const merged = { name, colours: ['red'] }
const answers = []
const note = ({ data, error, count, status }) =>
  answers.push({ data, code: error?.code ?? null, count: count ?? null, status })
note(await teams().insert({ name }).select('name').single())
note(await teams().upsert(merged, { onConflict: 'name' }).select('colours'))
note(await teams().select('name,players(name)', { count: 'exact' }).eq('name', name))
note(await teams().select('*', { count: 'exact', head: true }).eq('name', name))
note(await teams().update({ founded: '2020-01-02' }).eq('name', name).select('founded'))
note(await teams().select('name').or(`name.eq.${name},id.eq.0`).maybeSingle())
note(await teams().delete().eq('name', name))
note(await teams().select('name').eq('name', name).single())
note(await client.from('many').select('id').order('id', { ascending: false }).range(0, 1))
note(await client.rpc('add', { a: 1, b: 2 }))
note(await client.rpc('pairs', { up_to: 3 }, { get: true }).gt('n', 2))
note(await client.rpc('fail_with', { code: 'PT409' }))
note(await client.rpc('nothing'))
console.log(JSON.stringify(answers))
"""


async def test_supabase_js_gets_what_it_expects(
    league: Stack, javascript: Path, tmp_path: Path
) -> None:
    name = f"team {uuid4()}"
    script = tmp_path / "client.mjs"
    script.write_text(SCRIPT)
    process = await asyncio.create_subprocess_exec(
        "node", script, league.url, league.keys.secret_key, name,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "MODULES": str(javascript)},
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    answers = [tuple(answer.values()) for answer in orjson.loads(out)]
    assert answers == [
        ({"name": name}, None, None, 201),
        ([{"colours": ["red"]}], None, None, 200),
        ([{"name": name, "players": []}], None, 1, 200),
        (None, None, 1, 200),
        ([{"founded": "2020-01-02"}], None, None, 200),
        ({"name": name}, None, None, 200),
        (None, None, None, 204),
        (None, "PGRST116", None, 406),
        ([{"id": 1200}, {"id": 1199}], None, None, 200),
        (3, None, None, 200),
        ([{"n": 3, "square": 9}], None, None, 200),
        (None, "PT409", None, 409),
        (None, None, None, 204),
    ]
