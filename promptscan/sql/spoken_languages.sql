-- Which languages each account that sends families writes: of a few of its texts, the script, or for Latin letters the language
-- whose commonest words it has most of. Rough, the same for everybody, and only compared. English is everybody's second language
-- and does not count beside another; the home language is another one that most of the texts are in. What the last build found
-- of an account by the same `rule` is kept while the account has sent nothing more: the sample would be the same.
CREATE TEMP TABLE spoken_languages AS
WITH kept AS (
  SELECT p.account, k.n_languages, k.home, k.n_texts
  FROM base_spoken_languages k
  JOIN people p USING (account_id, n_prompts)
  SEMI JOIN pairs ON pairs.account = p.account
  WHERE k.rule = getvariable('rule')
),
sampled AS (
  SELECT p.account, t.clean_id
  FROM base_prompts q
  JOIN people p USING (account_id)
  JOIN base_text_cleans t USING (text_id)
  SEMI JOIN pairs ON pairs.account = p.account
  ANTI JOIN kept ON kept.account = p.account
  GROUP BY p.account, t.clean_id
  QUALIFY row_number() OVER (PARTITION BY p.account ORDER BY hash(t.clean_id), t.clean_id) <= getvariable('sampled')
),
heads AS (
  SELECT clean_id, lower(clean[1:400]) AS head FROM base_cleans SEMI JOIN sampled USING (clean_id)
),
spoken AS (
  SELECT clean_id, CASE
    WHEN regexp_matches(head, '[\p{Hiragana}\p{Katakana}]') THEN 'ja'
    WHEN regexp_matches(head, '\p{Hangul}') THEN 'ko'
    WHEN regexp_matches(head, '\p{Han}{2}') THEN 'zh'
    WHEN regexp_matches(head, '\p{Cyrillic}{3}') THEN 'ru'
    WHEN regexp_matches(head, '\p{Arabic}{3}') THEN 'ar'
    WHEN regexp_matches(head, '\p{Devanagari}{3}') THEN 'hi'
    WHEN regexp_matches(head, '\p{Greek}{3}') THEN 'el'
    WHEN regexp_matches(head, '\p{Hebrew}{3}') THEN 'he'
    WHEN regexp_matches(head, '\p{Thai}{3}') THEN 'th'
    ELSE (
      SELECT max_by(name, (n, name)) FROM (
        SELECT unnest(['en', 'es', 'de', 'fr', 'pt', 'it']) AS name, unnest([
          len(list_intersect(words, ['the', 'and', 'of', 'to', 'is', 'for', 'with', 'this', 'that', 'what', 'how', 'you'])),
          len(list_intersect(words, ['el', 'los', 'las', 'una', 'del', 'por', 'para', 'con', 'cómo', 'qué', 'es', 'y'])),
          len(list_intersect(words, ['der', 'die', 'das', 'und', 'ist', 'nicht', 'ein', 'eine', 'mit', 'für', 'wie', 'ich'])),
          len(list_intersect(words, ['le', 'les', 'des', 'et', 'est', 'une', 'pour', 'dans', 'avec', 'sur', 'je', 'du'])),
          len(list_intersect(words, ['os', 'uma', 'não', 'com', 'para', 'por', 'como', 'em', 'do', 'da', 'é', 'um'])),
          len(list_intersect(words, ['il', 'di', 'che', 'per', 'una', 'con', 'sono', 'della', 'come', 'gli', 'nel', 'è']))
        ]) AS n
      ) WHERE n >= 2
    )
  END AS language
  FROM (SELECT clean_id, head, regexp_split_to_array(head, '[^\p{L}]+') AS words FROM heads)
),
told AS (
  SELECT account, language, count(*) AS n, sum(count(*)) OVER (PARTITION BY account) AS n_texts
  FROM sampled JOIN spoken USING (clean_id)
  WHERE language IS NOT NULL
  GROUP BY account, language
)
SELECT
  account, greatest(1, count(*) FILTER (WHERE language <> 'en')) AS n_languages,
  max(language) FILTER (WHERE language <> 'en' AND 2 * n > n_texts) AS home, any_value(n_texts)::BIGINT AS n_texts
FROM told
GROUP BY account
UNION ALL
FROM kept
