# The artifact store: serves the lab's releases (content-addressed bundles) over HTTP, because Nomad fetches artifacts
# only so. Runs jobs/artifacts/server.mjs.
# Data: none of its own; it reads the releases folder.

variable "datacenter" {
  type        = string
  description = "Nomad datacenter of the stack."
}

variable "driver" {
  type        = string
  default     = "raw_exec"
  description = "Nomad task driver. Attributes of other drivers go into `config` as null where they do not apply."
  validation {
    condition     = var.driver == "raw_exec"
    error_message = "Only the embedded substrate (driver raw_exec) exists so far."
  }
}

variable "setpriv" {
  type        = string
  default     = "/usr/bin/setpriv"
  description = "Absolute path of setpriv: it makes the kernel end a task whose executor has died."
}

variable "node" {
  type        = string
  description = "Absolute path of node."
}

variable "script" {
  type        = string
  description = "Absolute path of jobs/artifacts/server.mjs."
}

variable "releases" {
  type        = string
  description = "Absolute path of the folder of releases."
}

variable "port" {
  type        = number
  description = "Port of HTTP."
}

variable "cpu" {
  type        = number
  default     = 50
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 96
  description = "Memory in MiB: the reservation, and the limit where Nomad may use cgroups (agent run by root)."
}

job "artifacts" {
  type        = "service"
  datacenters = [var.datacenter]
  priority    = 80 # Other jobs can't start without their artifacts.

  ui {
    description = "The bundles of the services, from `${var.releases}`, by their SHA-256."
  }

  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "0s"
    healthy_deadline  = "1m"
    progress_deadline = "2m"
  }

  # For failures outside a task (a hook of the allocation): tasks themselves restart in place, see `restart`.
  reschedule {
    delay          = "5s"
    delay_function = "constant"
    unlimited      = true
  }

  group "artifacts" {
    network {
      port "http" {
        static = var.port
      }
    }

    service {
      name = "artifacts"
      port = "http"

      check {
        name     = "artifacts answers"
        type     = "http"
        path     = "/healthz"
        interval = "2s"
        timeout  = "2s"
        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    # Never gives up: after the attempts it waits for the next interval, which is short for that reason.
    restart {
      attempts = 5
      interval = "15s"
      delay    = "1s"
      mode     = "delay"
    }

    ephemeral_disk {
      size = 50
    }

    task "artifacts" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", var.node, var.script]
      }

      env {
        HOST     = "127.0.0.1"
        PORT     = "${var.port}"
        RELEASES = var.releases
      }

      logs {
        max_files     = 3
        max_file_size = 5
      }

      resources {
        cpu    = var.cpu
        memory = var.memory
      }
    }
  }
}
