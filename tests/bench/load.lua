-- The requests of wrk: the lines of the file BENCH_BODIES, in turn. NNNNNNNNNN in a
-- line is replaced by a number, different for each request; BENCH_FIRST is the first
-- one. measure.py reads the last line of the output.

local PLACE = "NNNNNNNNNN"

local requests, at, number = {}, 0, 0

function init()
  local headers = { ["Content-Type"] = "application/json" }
  number = tonumber(os.getenv("BENCH_FIRST"))
  for body in io.lines(os.getenv("BENCH_BODIES")) do
    local text = wrk.format("POST", nil, headers, body)
    local from, to = text:find(PLACE, 1, true)
    if from then
      text = { text:sub(1, from - 1), text:sub(to + 1) }
    end
    requests[#requests + 1] = text
  end
end

function request()
  at = at % #requests + 1
  local made = requests[at]
  if type(made) == "string" then
    return made
  end
  number = number + 1
  return made[1] .. string.format("%010d", number) .. made[2]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nBENCH {"requests":%d,"us":%d,"refused":%d,"errors":%d,' ..
    '"p50":%d,"p99":%d,"p999":%d,"max":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    latency.max))
end
