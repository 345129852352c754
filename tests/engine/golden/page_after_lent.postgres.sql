-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: LENT, direction: ASC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.lent AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.lent, t.id) > (?, ?)
ORDER BY t.lent, t.id
LIMIT 10;
