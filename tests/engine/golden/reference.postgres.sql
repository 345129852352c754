-- { books(first: 10, orderBy: [{field: TITLE}]) { nodes { author { name } } } }
-- 2 statements

-- books
SELECT t.id::text AS id, t.author_id
FROM lib_book AS t
WHERE 1 = 1
ORDER BY t.title COLLATE "C", t.id
LIMIT 10;

-- books.nodes.author
SELECT t.id::text AS id, t.name
FROM lib_author AS t
WHERE t.id = ?;
