-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: YEAR, direction: ASC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.year AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE ((t.year, t.id) > (?::bigint, ?)) OR (t.year IS NULL)
ORDER BY t.year, t.id
LIMIT 10;
