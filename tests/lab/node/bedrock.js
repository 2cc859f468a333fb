// A Bedrock server that answers pings.
'use strict'

const raknet = require('jsp-raknet')
const ServerName = require('jsp-raknet/js/utils/ServerName').default
const { options, tell, endWith } = require('./peer')

const name = new ServerName()
name.motd = options.motd
name.name = options.level
name.version = options.version
name.protocol = options.protocol
name.players = { online: options.players_online, max: options.players_max }

const server = new raknet.Server(options.host, options.port, name)
server.listen().then(
  () => tell('ready', { port: options.port }),
  (error) => {
    tell('error', { message: String(error) })
    process.exit(1)
  }
)

endWith(() => process.exit(0))
