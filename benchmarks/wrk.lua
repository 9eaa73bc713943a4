-- usage: wrk ... -s wrk.lua URL -- METHOD BODY_FILE      prints what it saw as one line of JSON

function init(args)
  wrk.method = args[1]
  local file = io.open(args[2], "rb")
  local body = file:read("*a")
  file:close()
  if #body > 0 then
    wrk.body = body
    wrk.headers["Content-Type"] = "application/json"
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'report {"requests":%d,"duration":%d,"p50":%d,"p99":%d,"errors":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
