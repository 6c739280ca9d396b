"""Publishes a test picture and a tone by WHIP (RFC 9725), with GStreamer's webrtcbin: whip.py URL. It ends with its input."""

import sys
import urllib.parse
import urllib.request

import gi

for name in ("Gst", "GstWebRTC", "GstSdp"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PIPELINE = """
    webrtcbin name=peer bundle-policy=max-bundle
    videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=15/1
        ! vp8enc deadline=1 keyframe-max-dist=300 ! rtpvp8pay mtu=1200 picture-id-mode=15-bit
        ! application/x-rtp,payload=96,rtcp-fb-nack=true,rtcp-fb-nack-pli=true ! peer.
    audiotestsrc is-live=true ! audioconvert ! audioresample ! opusenc ! rtpopuspay ! application/x-rtp,payload=97 ! peer.
"""

URL = sys.argv[1]
Gst.init(None)
pipeline = Gst.parse_launch(PIPELINE)
peer = pipeline.get_by_name("peer")
loop = GLib.MainLoop()
session = None


def need_negotiation(_):
    for at in range(2):
        peer.emit("get-transceiver", at).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
    peer.emit("create-offer", None, Gst.Promise.new_with_change_func(offered))


def offered(promise):
    reply = promise.get_reply()  # the offer lives as long
    peer.emit("set-local-description", reply.get_value("offer"), None)


def gathered(*_):
    """The offer goes out with all candidates."""
    global session
    if session or peer.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        return
    offer = peer.get_property("local-description").sdp.as_text().encode()
    request = urllib.request.Request(URL, offer, {"Content-Type": "application/sdp"})
    with urllib.request.urlopen(request) as response:
        session = urllib.parse.urljoin(URL, response.headers["Location"])
        _, answer = GstSdp.SDPMessage.new_from_text(response.read().decode())
    answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, answer)
    peer.emit("set-remote-description", answer, None)
    print("published", Gst.version_string(), flush=True)


def failed(_, message):
    print(*message.parse_error(), file=sys.stderr)
    loop.quit()


def ended(*_):
    loop.quit()
    return False


peer.connect("on-negotiation-needed", need_negotiation)
peer.connect("notify::ice-gathering-state", gathered)
bus = pipeline.get_bus()
bus.add_signal_watch()
bus.connect("message::error", failed)
GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP | GLib.IOCondition.IN, ended)
pipeline.set_state(Gst.State.PLAYING)
loop.run()
if session:
    urllib.request.urlopen(urllib.request.Request(session, method="DELETE")).close()
pipeline.set_state(Gst.State.NULL)
