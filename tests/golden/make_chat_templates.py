#!/usr/bin/env python3
"""Writes tokenizers/templates.json: small chat templates and what transformers renders of them.

  make_chat_templates.py [--out FILE]

Needs transformers 5.2.0 (with jinja2). A row is {"template", "variables", "rendered"}, or has
"fails": true where rendering raises an error. `messages` is a variable like any other; tools,
documents and add_generation_prompt are always there, as apply_chat_template passes them.
"""

import argparse
import json
import pathlib

from transformers.utils.chat_template_utils import _compile_jinja_template

HERE = pathlib.Path(__file__).parent

MESSAGES = [
    {"role": "system", "content": " Be brief. "},
    {"role": "user", "content": "Où est l'Éléphant? 🐘\n"},
    {"role": "assistant", "content": "", "tool_calls": [
        {"function": {"name": "find", "arguments": {"what": "elephant", "n": 1, "x": 0.5}}}]},
    {"role": "tool", "content": {"found": True, "where": None, "tags": ["a", "b'c"]}},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]},
]

# What one expression prints.
EXPRESSIONS = """
1 + 2 * 3 - 4 | 7 / 2 | 7 // 2 | -7 // 2 | 7 % 3 | -7 % 3 | 7 % -3 | 2 ** 10 | 2 ** -1 | -2 ** 2
1.5 + 1 | 10 / 5 | 1e20 | 1e-7 | 123456789.125 | 0.1 + 0.2 | 1.0 | 5.0 // 2 | 5.5 % 2 | -5.5 % 2
1 < 2 < 3 | 1 < 3 < 2 | 'a' < 'b' | [1, 2] < [1, 3] | 1 == 1.0 | 1 == true | 'a' == 1
none == none | [1, 2] == [1, 2] | {'a': 1} == {'a': 1} | (1, 2) == [1, 2] | x == y | x != none
1 and 0 | 0 or 'x' | not 0 | not '' or false | '' and x.y | none or [] | 'a' if true else 'b'
'a' if false | ('a' if false) is defined | 'x' if 0 else 'y' if 1 else 'z'
'a' ~ 1 ~ none ~ true ~ 1.5 | 'a' ~ [1, 'b'] | 'a' + 'b' | [1] + [2] | (1,) + (2,) | 'ab' * 3
2 * [0] | 'b' in 'abc' | 'b' not in 'abc' | 1 in [1, 2] | 'a' in {'a': 1} | 1 in {'a': 1}
'a' in x | [1, 'a', none, true, 1.5, [2], {'k': 'v'}, (1,), (1, 2), ()] | {} | []
{'a': 'b"c', 'd': "e'f"} | "a\\nb" | ["a\\nb", "t\\tq", "b\\\\s", "é", "\\x00", "\\u200b", "🐘"]
'it''s' | "tab\\there" | '\\x41\\u00e9\\101\\q' | 'a' 'b' | x | x is defined | [x] | x | length
none | true | false | True | 'abc'[0] | 'abc'[-1] | 'abc'[5] | 'abc'[1:] | 'abc'[::-1]
'abcdef'[1:5:2] | 'abc'[:-1] | 'éàü'[1] | [1, 2, 3][1:] | [1, 2, 3][::-1] | [1, 2, 3][-2:]
[1, 2, 3][5:] | [1, 2, 3][-1] | [1, 2, 3][2:0:-1] | (1, 2, 3)[1:] | [1, 2][0] | {'a': 1}['a']
{'a': 1}.a | {'a': 1}.b | {'a': 1}['b'] | {'items': 1}.items() | list | {'items': 1}['items']
[[1, 2]].0.1 | 'a.b'.split('.')[1] | 'éàü'[::2] | 'abc'[10:] | 'abc'[-10:2] | messages[0].content
messages[0]['role'] | messages | length | messages[-1].content[0].text
messages[1].content | trim | messages[1:] | length | messages[2].tool_calls[0].function.name
' a b '.strip() | 'xxabxx'.strip('x') | ' a '.lstrip() ~ '|' | ' a '.rstrip() ~ '|'
'abc'.upper() | 'ABC'.lower() | 'hello world'.title() | "they're bill's".title()
'hELLO'.capitalize() | 'a b  c'.split() | 'a,b,,c'.split(',') | 'a,b,c'.split(',', 1)
'a b c'.split(none, 1) | 'a,b,c'.rsplit(',', 1) | 'a\\nb\\r\\nc'.splitlines()
'abc'.startswith('ab') | 'abc'.endswith(('x', 'bc')) | 'aXbX'.replace('X', '-')
'aaa'.replace('a', 'b', 2) | 'abc'.find('c') | 'éa'.find('a') | 'abc'.find('x')
'abab'.rfind('b') | 'abab'.count('ab') | ','.join(['a', 'b']) | '12'.isdigit()
'abc'.removeprefix('a') | 'ab'.removesuffix('b') | {'a': 1, 'b': 2}.items() | list
{'a': 1}.keys() | list | {'a': 1}.values() | list | {'a': 1}.get('a') | {'a': 1}.get('b')
{'a': 1}.get('b', 3) | [1, 2, 1].count(1) | [1, 2].index(2) | ''.split() | ''.split(',')
' a ' | trim | 'xax' | trim('x') | 5 | trim | 'abc' | length | [1, 2] | length | {} | length
'éà' | length | ['a', 'b'] | join | ['a', 'b'] | join(', ') | [1, none, 'x'] | join('-')
messages | join(',', attribute='role') | 5 | string | 'ab' | upper | 'AB' | lower
'hello world' | title | 'hELLO' | capitalize | 1 | upper | x | default('d') | none | default('d')
none | default('d', true) | '' | default('d', boolean=true) | x | d | {'a': 1} | items | list
'abc' | list | {'a': 1} | list | [3, 1] | first | [3, 1] | last | 'abc' | first | [] | first
[] | last is defined | 'aXb' | replace('X', '-') | 'aaa' | replace('a', 'b', 1) | '<b>' | safe
messages | selectattr('role', 'equalto', 'user') | list | length
messages | rejectattr('role', 'eq', 'user') | list | length
messages | selectattr('tool_calls', 'defined') | list | length
messages | selectattr('content') | list | length | messages | map(attribute='role') | list
['a', 'b'] | map('upper') | list | [1, 2, 3] | select('odd') | list
[1, 2, 3] | reject('gt', 1) | list | [0, 1, ''] | select | list | ['b', 'A', 'c'] | sort
[3, 1, 2] | sort(reverse=true) | ['b', 'A', 'B'] | unique | list | [1, 2, 3] | reverse | list
'abc' | reverse | {'b': 1, 'A': 2} | dictsort | '5' | int | 'x' | int | 'x' | int(7) | 3.9 | int
'1.5' | float | -3 | abs | 'a\\nb\\n\\nc' | indent | 'a\\nb' | indent(2, true) | messages | tojson
messages[3].content | tojson(indent=2) | 'é"\\n\\\\<>&' | tojson | {} | tojson(indent=4)
[] | tojson(indent=1) | [1, [], {}] | tojson(indent=2) | [1, 2.0, true, none] | tojson
'é' | tojson(ensure_ascii=true) | 1e100 | tojson | {'b': 1, 'a': 2} | tojson(sort_keys=true)
[1, 2] | tojson(separators=(',', ':')) | '🐘' | tojson(ensure_ascii=true) | x is undefined
none is none | 'a' is string | 1 is number | 1 is integer | true is integer | 1.0 is float
true is boolean | true is true | 1 is true | {} is mapping | [] is mapping | [] is sequence
'a' is iterable | {} is iterable | 1 is iterable | x is iterable | none is iterable
range is callable | 3 is odd | 4 is even | 9 is divisibleby 3 | 9 is divisibleby(2) | 1 is eq 1
1 is equalto(2) | 2 is gt 1 | 1 is in [1, 2] | 'a' is in 'b' | 'ab' is lower | 'AB' is upper
none is sameas none | not x is defined | x is not defined | not 1 is none and 2 is number
'a' is string and 'b' | 1 + 1 is number | -1 | abs | - 5 % 3 | not 1 == 2
1 == 1 and 2 == 2 or x.y | 'a' ~ 'b' | upper | ('a' ~ 'b') | upper | 1 if x is defined else 2
range(3) | list | range(1, 4) | list | range(5, 0, -2) | list | dict(a=1) | dict(a=1, b='c').b
namespace(a=1).a | [1, 2,] | (1) | (1,) | () | {'a': 1,} | [[1], [2, [3]]]
{'a': {'b': [1, {'c': none}]}} | 0x1F | 1_000
"a" if messages[0].role == "system" and messages | length > 1 else "b"
messages[0].content.strip() + '!' | '%' ~ '}}' ~ '{{' | '{%' ~ "%}" | {'a': {'b': 1}}.a.b | "#}"
[{'a': 1}, {'a': 2}] | map(attribute='a') | sum
messages[2].tool_calls[0].function.arguments.items() | list | 'a' 'b' ~ 'c' | [1, 2] ~ (3, 4)
true ~ false | 'ß'.upper() | 'ÉCOLE'.lower() | 'ǆ'.title() | ' \\u00a0\\u2003a\\u3000'.strip()
'\\u001ca'.strip() | 'ı'.upper() | 'a' is not string | 'content' in messages[0]
'tool_calls' not in messages[0] | messages[0].nothing is none | "1" + 1 | 1 + none | [1] + (2,)
'a' < 1 | none < 1 | 1 in 'abc' | 1 in 5 | x.y | x.y.z | x['y'] | x() | 5() | none.a | none.a.b
'abc' | nothing | 1 is nothing | 1 / 0 | 1 % 0 | 5 | length | none | length | 5 | list | x + 1
-x | -'a' | x | tojson | range | tojson | [x] | tojson | [1, 2].append(3) | {'a': 1}.update(b=2)
','.join([1]) | raise_exception('no') | range() | 'abc'.split('') | {}.x.y | messages[99].role
'abc'[1:2:0] | 'a'.startswith(1)
""".strip("\n")

TEMPLATES = [
    # White space control, trim_blocks, lstrip_blocks.
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc",
    "  {% if true %} x {% endif %}  \n y",
    "a  {%- if true -%}  b  {%- endif -%}  c",
    "a  {{- 1 -}}  b {{ 2 }}\n{{ 3 }}\n c",
    "a\n  {{ 1 }}\n  {#- note -#}\n  b\n {# note #}\nc",
    "a {%+ if true +%}\n b {%+ endif %}\n c",
    "  {%+ if true %}x{% endif %}",
    "{% if true %}\n\n\nx{% endif %}\n\n",
    "a{# {{ x }} {% nothing %} #}b",
    "{% raw %}{{ x }} {% if %}{% endraw %}!",
    "a {%- raw -%} {{ x }} {%- endraw -%} b",
    "x\r\ny\rz\n",
    "{{ '\n' }}a\n\n",
    "{ {a} %} # {} {{'}}'}}",
    "\t{% set a = 1 %}\t\n{{ a }}",
    "{% if true %}{% if true %}\n  {% if true %}\n  z{% endif %}{% endif %}{% endif %}",
    # Statements and scopes.
    "{% set a = 1 %}{% if true %}{% set a = 2 %}{% endif %}{{ a }}",
    "{% set a = 1 %}{% for i in [1, 2] %}{{ a }}{% set a = 5 %}{{ a }}{% endfor %}{{ a }}",
    "{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}"
    "{{ ns.n }}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}|{{ ns.b is defined }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c }}{{ d }}",
    "{% set a %}x{{ 1 }}y{% endset %}[{{ a }}]",
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }} "
    "{% endfor %}",
    "{% for m in messages %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.length }} {% endfor %}",
    "{% for m in messages %}{{ (loop.previtem or {}).role }}>{{ m.role }}>"
    "{{ (loop.nextitem or {}).role }} {% endfor %}",
    "{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}"
    "{{ m.role }}{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}{% for i in [1] %}x{% else %}none{% endfor %}",
    "{% for i in [1, 2] if i > 5 %}x{% else %}none{% endfor %}",
    "{% for k, v in {'a': 1, 'b': [2]}.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in messages[3].content | items %}{{ k }}={{ v }};{% endfor %}",
    "{% for (i, (a, b)) in [(1, (2, 3))] %}{{ i }}{{ a }}{{ b }}{% endfor %}",
    "{% for c in 'éa' %}<{{ c }}>{% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}",
    "{% for i in nothing %}x{% endfor %}ok",
    "{% for i in 5 %}x{% endfor %}",
    "{% for i in none %}x{% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}"
    "{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [1, 2] %}{% for j in [3, 4] %}{{ loop.index }}{% endfor %}{{ loop.index }};"
    "{% endfor %}",
    "{% for i in [1, 2] %}{% set outer = loop %}{% for j in 'ab' %}{{ outer.index }}{{ j }}"
    "{% endfor %}{% endfor %}",
    "{% for m in messages[::-1] %}{{ m.role }} {% endfor %}",
    "{% for m in messages %}{% set m = 1 %}{{ m }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% if x %}a{% elif none %}b{% elif 1 %}c{% else %}d{% endif %}",
    "{% if messages %}a{% endif %}{% if '' %}b{% endif %}{% if {} %}c{% endif %}{% if 0.0 %}d"
    "{% endif %}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|"
    "{{ m(b=4, a=5) }}|{{ m() }}",
    "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% set g = 'top' %}{% macro m() %}{{ g }}{{ i }}{% endmacro %}{% for i in [1] %}"
    "{{ m() }}{% endfor %}",
    "{% macro m(a) %}x{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}x{% endmacro %}{{ m(c=2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m('<b>') | upper }}"
    "{{ m(messages[0].role) == 'system' }}",
    "{% generation %}a{% set z = 1 %}{% endgeneration %}{{ z }}",
    "{% for m in messages %}{% generation %}{{ m.role }}{% endgeneration %}{% endfor %}",
    "{{ 1, 2 }}",
    "{% set x = [1, 2] %}{% set x = x + [3] %}{{ x }}{{ x | length }}",
    "{% set messages = messages[1:] %}{{ messages[0].role }}"
    "{% set tools = tools or 'no tools' %}{{ tools }}",
    "{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}",
    "{{ bos_token }}{{ eos_token is defined }}",
    "{% set a = 1 %}{% set b = a if a is defined and a == 1 else 0 %}{{ b }}",
    "{%- set ns = namespace(last=messages | length - 1, open=true) %}\n"
    "{%- for m in messages[::-1] %}\n"
    "    {%- set index = (messages | length - 1) - loop.index0 %}\n    "
    "{%- if ns.open and m.role == \"user\""
    " and m.content is string and not(m.content.startswith('<r>') and"
    " m.content.endswith('</r>')) %}\n"
    "        {%- set ns.open = false %}\n        {%- set ns.last = index %}\n    {%- endif %}\n"
    "{%- endfor %}\n{{- ns.last }}",
    "{%- if enable_thinking is defined and enable_thinking is false %}\n    "
    "{{- '<think>\\n\\n</think>\\n\\n' }}\n"
    "{%- endif %}x",
    "{%- for m in messages %}\n    {%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}\n"
    "        {{- raise_exception('roles must alternate') }}\n    {%- endif %}\n{%- endfor %}",
    "{%- set content = '<t>a</t>\\n\\nb' %}"
    "{%- set r = content.split('</t>')[0].rstrip('\\n').split('<t>')[-1]"
    ".lstrip('\\n') %}{{ r }}|{{ content.split('</t>')[-1].lstrip('\\n') }}",
    "{%- if messages[3].content is mapping or messages[3].content is iterable %}"
    "{{ messages[3].content | tojson }}"
    "{% endif %}",
    # What does not parse.
    "{% if true %}x", "{% endif %}", "{{ 1", "{% for in x %}{% endfor %}", "{{ 1 + }}", ""
    "{% unknown %}",
    "{{ 'abc }}", "{# open", "{% set 1 = 2 %}", "{{ a b }}", "{{ [1, 2 }}", "{% macro %}"
    "{% endmacro %}",
    "{% break %}", "{{ f(a=1, 2) }}", "{{ x. }}", "{{ x | }}", "{{ $ }}", "{% raw %}x", "{{ }}",
]


def render(template, variables):
    try:
        compiled = _compile_jinja_template(template)
        return {"rendered": compiled.render(**variables)}
    except Exception:  # whatever is wrong with the template
        return {"fails": True}


def expressions():
    """The expressions of EXPRESSIONS: cut at ` | ` wherever what follows is no filter."""
    filters = "length trim join string upper lower title capitalize default d items list first last"
    filters += " replace safe selectattr rejectattr map select reject sort unique reverse dictsort"
    filters += " int float"
    filters += " abs indent tojson nothing sum"
    for line in EXPRESSIONS.splitlines():
        parts = []
        for piece in line.split(" | "):
            word = piece.split("(")[0].split(" ")[0]
            if parts and word in filters.split():
                parts[-1] += " | " + piece
            else:
                parts.append(piece)
        yield from parts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "tokenizers/templates.json")
    args = parser.parse_args()
    variables = {"messages": MESSAGES, "enable_thinking": False, "eos_token": "</s>"}
    given = variables | {"tools": None, "documents": None, "add_generation_prompt": False}
    templates = [f"{{{{ {expression} }}}}" for expression in expressions()] + TEMPLATES
    rows = [{"template": template} | render(template, given) for template in templates]
    text = json.dumps({"variables": variables, "rows": rows}, ensure_ascii=False, indent=0)
    args.out.write_text(text + "\n", encoding="utf-8")
    print(len(rows), "templates,", sum("fails" in row for row in rows), "of them fail")


if __name__ == "__main__":
    main()
