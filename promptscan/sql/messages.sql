-- What a chat log's `messages` say: the user's turns are the text, the system's are kept apart.
CREATE TEMP MACRO message_text(content) AS
  CASE json_type(content)
    WHEN 'VARCHAR' THEN content ->> '$'
    WHEN 'ARRAY' THEN array_to_string(
      list_filter(
        list_transform(CAST(content AS JSON[]), lambda part: CASE WHEN json_type(part) = 'VARCHAR' THEN part ->> '$' ELSE part ->> '$.text' END),
        lambda part: part IS NOT NULL),
      chr(10))
  END;

CREATE TEMP MACRO turns(messages, roles) AS
  array_to_string(
    list_filter(
      list_transform(
        list_filter(CAST(messages AS JSON[]), lambda message: json_type(message) = 'OBJECT' AND list_contains(roles, message ->> '$.role')),
        lambda message: message_text(message -> '$.content')),
      lambda said: said IS NOT NULL),
    chr(10) || chr(10));
