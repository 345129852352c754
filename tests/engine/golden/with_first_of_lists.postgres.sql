-- { writers(first: 10) { nodes { latest: catalogue(first: 1) { nodes { title } } life { born } } } }
-- 3 statements

-- writers
SELECT t.id::text AS id
FROM lib_author AS t
WHERE 1 = 1
ORDER BY t.id
LIMIT 10;

-- writers.nodes.latest
SELECT l.lines
FROM unnest(?::uuid[]) WITH ORDINALITY AS g(_parent, number)
CROSS JOIN LATERAL (SELECT string_agg(coalesce(x._json, ''), chr(10)) AS lines
  FROM (SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
    FROM lib_book AS t
    WHERE t.author_id = g._parent AND (1 = 1)
    ORDER BY t.published_at DESC, t.id DESC
    LIMIT 1) AS x) AS l
ORDER BY g.number;

-- writers.nodes.life
SELECT x.id, x.born, g.number - 1 AS _parent
FROM unnest(?::uuid[]) WITH ORDINALITY AS g(_parent, number)
CROSS JOIN LATERAL (SELECT t.id::text AS id, t.born, t.id AS _o0
  FROM lib_author AS t
  WHERE t.id = g._parent AND (t.born IS NOT NULL)
  ORDER BY t.id
  LIMIT 1) AS x
ORDER BY _o0;
