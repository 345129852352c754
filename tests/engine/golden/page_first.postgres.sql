-- { books(first: 10, orderBy: [{field: TITLE, direction: ASC}]) { nodes { title } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
FROM lib_book AS t
WHERE 1 = 1
ORDER BY t.title COLLATE "C", t.id
LIMIT 10;
