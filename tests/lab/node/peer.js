// What every peer does alike: one JSON line per event on standard output, a clean end on SIGTERM.
'use strict'

const options = JSON.parse(process.argv[2] || '{}')

function tell (event, details = {}) {
  process.stdout.write(JSON.stringify({ at: Date.now() / 1000, event, ...details }) + '\n')
}

function endWith (close) {
  process.on('SIGTERM', () => {
    close()
    // A library that keeps a socket open must not keep the process alive.
    setTimeout(() => process.exit(0), 200).unref()
    process.exitCode = 0
  })
}

module.exports = { options, tell, endWith }
