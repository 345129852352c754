-- { books(first: 10, orderBy: [{field: YEAR, direction: DESC, nulls: LAST}]) { nodes { title } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
FROM lib_book AS t
WHERE 1 = 1
ORDER BY t.year DESC NULLS LAST, t.id DESC
LIMIT 10;
