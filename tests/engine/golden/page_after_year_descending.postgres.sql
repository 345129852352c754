-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: YEAR, direction: DESC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.year AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.year, t.id) < (?::bigint, ?)
ORDER BY t.year DESC, t.id DESC
LIMIT 10;
