"""aiortc's side of a test: `offer` or `answer`. Descriptions are lines of JSON on standard input and output;
whatever comes on a channel is answered by «heard» and itself."""

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription


async def line():
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def answer(channel):
    channel.on("message", lambda message: channel.send("heard " + message))


async def say(connection, description):
    await connection.setLocalDescription(description)
    local = connection.localDescription
    print(json.dumps({"type": local.type, "sdp": local.sdp}), flush=True)


async def hear(connection):
    description = json.loads(await line())
    remote = RTCSessionDescription(description["sdp"], description["type"])
    await connection.setRemoteDescription(remote)


async def main(offers):
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.on("datachannel", answer)
    if offers:
        answer(connection.createDataChannel("word"))
        await say(connection, await connection.createOffer())
        await hear(connection)
    else:
        await hear(connection)
        await say(connection, await connection.createAnswer())
    await line()
    await connection.close()


asyncio.run(main(sys.argv[1] == "offer"))
