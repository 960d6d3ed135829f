-- Sends the bodies of a file, one a line, in turn. Prints what happened as one JSON line after "RESULT ".

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  requests = {}
  made = 0
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, { ["Content-Type"] = "application/json" }, body)
  end
end

function request()
  made = made + 1
  return requests[made % #requests + 1]
end

function done(summary, latency)
  local made_by_all = -1 -- wrk makes one request by itself, to look at it
  for _, thread in ipairs(threads) do
    made_by_all = made_by_all + thread:get("made")
  end
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"made":%d,"completed":%d,"duration_us":%d,"failed":%d,"p50_us":%d,"p99_us":%d}\n',
    made_by_all, summary.requests, summary.duration,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
