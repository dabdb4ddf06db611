import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, isAbort, openEnvelope } from './client';

function failure(status: number, statusText: string, body: string): ApiError {
  try {
    openEnvelope(status, statusText, body);
  } catch (error) {
    assert.ok(error instanceof ApiError);
    return error;
  }
  return assert.fail('no error was thrown');
}

test('a good answer gives its data, warnings and infos', () => {
  const answer = openEnvelope<number[]>(
    200,
    'OK',
    '{"status":"success","data":[1],"warnings":["slow"],"infos":["note"]}',
  );
  assert.deepEqual(answer, { data: [1], warnings: ['slow'], infos: ['note'] });
  assert.deepEqual(openEnvelope(200, 'OK', '{"status":"success","data":null}').data, null);
});

test('every way to fail is told apart', () => {
  const cases: Array<[number, string, string, string, RegExp, boolean]> = [
    [
      400,
      'Bad Request',
      '{"status":"error","errorType":"bad_data","error":"1:3: parse error"}',
      'bad_data',
      /^1:3: parse error$/,
      false,
    ],
    [422, '', '{"status":"error","errorType":"execution","error":"many-to-many"}', 'execution', /many-to-many/, false],
    [503, '', '{"status":"error","errorType":"unavailable","error":"starting"}', 'unavailable', /starting/, true],
    [502, 'Bad Gateway', '<html>nginx</html>', 'http', /^HTTP 502 Bad Gateway \(the proxy/, true],
    [401, 'Unauthorized', 'Unauthorized', 'http', /not signed in/, false],
    [404, 'Not Found', '404 page not found', 'http', /no such endpoint/, false],
    [200, 'OK', '<html>login</html>', 'unexpected', /not the API's JSON: <html>login/, false],
    [200, 'OK', '', 'unexpected', /empty body/, false],
    [200, 'OK', '{"status":"success"}', 'unexpected', /not the API's JSON/, false],
    [200, 'OK', 'null', 'unexpected', /not the API's JSON/, false],
  ];
  for (const [status, statusText, body, type, message, unreachable] of cases) {
    const error = failure(status, statusText, body);
    assert.equal(error.type, type, body);
    assert.match(error.message, message);
    assert.equal(error.unreachable, unreachable, body);
  }
});

test('our own cancelling is no failure', () => {
  assert.ok(isAbort(new DOMException('stop', 'AbortError')));
  assert.ok(!isAbort(new ApiError('timeout', 'too slow')));
});
