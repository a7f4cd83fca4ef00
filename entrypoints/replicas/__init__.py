"""Pass requests on to the replica that runs an account's events.

Gradio has tabs, events and streams in the memory of one process. With several replicas, each account has one of them as its
home, which runs all its events. A request that needs Gradio's memory and arrives elsewhere makes one hop: the replica that
received it sends it to the home and streams the response back. So any load balancer will do, and the limits of an account
hold over all replicas.
"""

from entrypoints.replicas.homes import BEAT_EVERY
from entrypoints.replicas.replicas import Elsewhere, Replicas, hop_of
from entrypoints.replicas.shares import SHARES, share_of_files

__all__ = ["BEAT_EVERY", "SHARES", "Elsewhere", "Replicas", "hop_of", "share_of_files"]
