-- { writers(first: 10) { nodes { books { title } } } }
-- 2 statements

-- writers
SELECT t.id::text AS id
FROM lib_author AS t
WHERE 1 = 1
ORDER BY t.id
LIMIT 10;

-- writers.nodes.books
SELECT t.id::text AS id, t.title, t.author_id::text AS _parent
FROM lib_book AS t
WHERE t.author_id = ANY(?)  ORDER BY t.title COLLATE "C", t.id;
