-- { writers(first: 10) { nodes { catalogue(first: 2) { nodes { title } } } } }
-- 2 statements

-- writers
SELECT t.id::text AS id
FROM lib_author AS t
WHERE 1 = 1
ORDER BY t.id
LIMIT 10;

-- writers.nodes.catalogue
SELECT l.lines
FROM unnest(?::uuid[]) WITH ORDINALITY AS g(_parent, number)
CROSS JOIN LATERAL (SELECT string_agg(coalesce(x._json, ''), chr(10)) AS lines
  FROM (SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
    FROM lib_book AS t
    WHERE t.author_id = g._parent AND (1 = 1)
    ORDER BY t.published_at DESC, t.id DESC
    LIMIT 2) AS x) AS l
ORDER BY g.number;
