-- { books(first: 10, orderBy: [{field: TITLE}], filter: {reviewed: true}) { nodes { title } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
FROM lib_book AS t
WHERE EXISTS (SELECT 1
  FROM lib_review AS r
  WHERE r.book_id = t.id)
ORDER BY t.title COLLATE "C", t.id
LIMIT 10;
